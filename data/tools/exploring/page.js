filterBy("article.video", "#shown");
const videos = () => [...document.querySelectorAll("article.video:not([hidden])")];
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "/") { event.preventDefault(); document.querySelector("#search").focus(); }
  const step = {j: 1, k: -1}[event.key];
  if (!step) return;
  const all = videos(), at = all.indexOf(document.activeElement?.closest("article.video"));
  const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))];
  next?.focus(); next?.scrollIntoView({block: "start"});
});
document.querySelector("#play")?.addEventListener("click", event => {
  const clips = [...document.querySelectorAll(".examples video")], play = clips.some(clip => clip.paused);
  for (const clip of clips) play ? clip.play() : clip.pause();
  event.target.textContent = play ? "stop all" : "play all";
});

const apply = filterBy("tbody tr", "#shown");
for (const button of document.querySelectorAll("button[data-kind]")) button.addEventListener("click", () => {
  const chosen = document.querySelector("#kind"); chosen.value = button.dataset.kind; apply();
  document.querySelector("#videos").scrollIntoView({behavior: "smooth"}); chosen.focus({preventScroll: true});
});

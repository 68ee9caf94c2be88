"""The names of backbones that a user may write, and what is known of them without importing any."""

from models.errors import UnknownName, match

# Short names of backbones, and what timm calls them. Any other timm name may be used as it is.
BACKBONES: dict[str, str] = {
    "efficientnet_lite0": "tf_efficientnet_lite0",
    "efficientnet_lite1": "tf_efficientnet_lite1",
    "efficientnet_lite2": "tf_efficientnet_lite2",
    "vgg16": "vgg16",
    "resnet50": "resnet50",
    "mobilenetv2_1.00_224": "mobilenetv2_100",
    "xception": "legacy_xception",
    "inception_v3": "inception_v3",
    "inception_resnet_v2": "inception_resnet_v2",
}


# Networks over whole clips, pretrained on Kinetics-400, as torchvision names them.
VIDEO_BACKBONES = ("r3d_18", "mc3_18", "r2plus1d_18", "s3d", "mvit_v2_s", "swin3d_t")
CLIP_SHAPES = {"mvit_v2_s": (16, 224, 224)}  # the only frames, height, width that they take
SHORTEST_CLIPS = {"s3d": (5, 17)}  # frames, pixels: with fewer, its pools would leave nothing


DEFAULT_BACKBONES = {"image": "efficientnet_lite0", "video": "r3d_18", None: None}


def backbone_name(value: str) -> str:
    """Return the name of a backbone as this package writes it.

    Args:
        value (str): a name of ``BACKBONES`` or ``VIDEO_BACKBONES`` (in any case) or of a timm
            model, with or without its weights' tag (``resnet50``, ``resnet50.tv_in1k``).

    Raises:
        UnknownName: if nothing is known by this name.
    """
    if alias := match(value, (*BACKBONES, *VIDEO_BACKBONES)):
        return alias
    from models.backbones.zoo import (
        timm,  # takes seconds, so only for names that are not in the table above
    )

    for name in (value.strip(), value.strip().lower()):
        tagged = "." in name
        if timm.is_model_pretrained(name) if tagged else timm.is_model(name):
            return name
    architecture = value.split(".")[0]
    if timm.is_model(architecture):  # the tag of its weights is wrong
        raise UnknownName("backbone", value, timm.list_pretrained(f"{architecture}.*"))
    raise UnknownName(
        "backbone",
        value,
        [*BACKBONES, *VIDEO_BACKBONES, *timm.list_models()],
        f"Known short names are {', '.join(BACKBONES)};"
        " any name that timm.list_models() gives works too."
        f" Networks over clips are {', '.join(VIDEO_BACKBONES)}.",
    )

"""video_3d_*: a network over whole clips, pretrained on videos."""

from models.architectures.frame import Frame


class Video3D(Frame):
    """A clip's feature through up to three dense layers; with none, a linear classifier.

    There is one feature for the whole clip. Stored features are ``[B, 1, F]``: a frame's feature is that
    of the clip that ends at it.

    Args:
        config (ModelConfig): its parameters.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        num_features (int): width of a clip's feature.
    """

"""The size check that every classifier makes when it is built: unlike a segmentation, it has a size."""

SMALLEST = 32  # pixels; timm's networks halve five times


def require_size(image_size: int, multiple: int, classifier: str) -> None:
    """Refuse slices too small for a classifier, or not of whole patches or windows.

    Raises:
        ValueError: naming the sizes that fit.
    """
    if image_size >= SMALLEST and image_size % multiple == 0:
        return
    of_what = f" that are multiples of {multiple}" if multiple > 1 else ""
    raise ValueError(
        f"{classifier}: slices of {image_size} x {image_size} pixels; expected sides of {SMALLEST} or more"
        f"{of_what}. Choose another image size."
    )

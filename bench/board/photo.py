"""Photos of about so many bytes: a gradient with noise, which JPEG cannot save."""

import io
import random

from PIL import Image


def photo(size_bytes, width, height):
    noise = Image.frombytes("RGB", (width, height), random.Random(f"{size_bytes}").randbytes(width * height * 3))
    gradient = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    low, high, best = 0.0, 0.6, b""
    for _ in range(8):  # how much noise makes it so large
        share = (low + high) / 2
        out = io.BytesIO()
        Image.blend(gradient, noise, share).save(out, "JPEG", quality=88)
        best = out.getvalue()
        low, high = (share, high) if len(best) < size_bytes else (low, share)
    return best


def photos():
    return {"photo": photo(100_000, 1_200, 900), "large photo": photo(5_000_000, 4_000, 3_000)}

"""Packs the elements of a file, and answers how many bytes that took, as blosc2 does it (`size`) and without splitting
blocks by bytes (`whole`); or unpacks them again (`unpack`)."""

import sys

import blosc2

with open(sys.argv[1], "rb") as file:
    data = file.read()
options = {"codec": blosc2.Codec.LZ4, "clevel": 5, "filters": [blosc2.Filter.SHUFFLE], "typesize": 8, "nthreads": 2}
packed = blosc2.compress2(data, **options)
whole = blosc2.compress2(data, splitmode=blosc2.SplitMode.NEVER_SPLIT, **options)
assert blosc2.decompress2(packed, nthreads=2) == data
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "unpack":
        blosc2.decompress2(packed, nthreads=2)
    print(len(whole if line.strip() == "whole" else packed), flush=True)

"""Packs the elements of a file, and answers how many bytes that took (`size`), or unpacks them again (`unpack`)."""

import sys

import blosc2

with open(sys.argv[1], "rb") as file:
    data = file.read()
packed = blosc2.compress2(data, codec=blosc2.Codec.LZ4, clevel=5, filters=[blosc2.Filter.SHUFFLE], typesize=8, nthreads=2)
assert blosc2.decompress2(packed, nthreads=2) == data
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "unpack":
        blosc2.decompress2(packed, nthreads=2)
    print(len(packed), flush=True)

"""Does what a line says with diskcache and answers with the nanoseconds it took. Values are samples as Python has them, or
bytes that are others for every number."""

import random
import sys
import time

import diskcache

cache = diskcache.Cache(sys.argv[1])
kind = sys.argv[2]


def sample(number):
    return {
        "name": f"sample {number}",
        "tags": ["one", "two"],
        "weights": [(number * 70 + weight) * 0.37 for weight in range(70)],
        "text": "some words that say something " * 10,
    }


samples = [sample(number) for number in range(64)]
noise = random.Random(1).randbytes((64 << 10) - 8)


def value(number):
    return number.to_bytes(8, "little") + noise if kind == "blob" else samples[number % 64]


print("ready", flush=True)
for line in sys.stdin:
    verb, *numbers = line.split()
    keys = [(kind, int(number)) for number in numbers]
    values = [] if verb == "get" else [value(number) for _, number in keys]
    start = time.perf_counter_ns()
    if verb == "get":
        values = [cache.get(key) for key in keys]
    elif verb == "put":
        for key, stored in zip(keys, values):
            cache.set(key, stored)
    else:
        with cache.transact():
            for key, stored in zip(keys, values):
                cache.set(key, stored)
    elapsed = time.perf_counter_ns() - start
    if None in values:
        break
    print(elapsed, flush=True)

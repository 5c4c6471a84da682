"""Does what a line says with diskcache and answers with the nanoseconds it took. The value is the sample as Python has it."""

import sys
import time

import diskcache

cache = diskcache.Cache(sys.argv[1])


def sample(number):
    return {
        "name": f"sample {number}",
        "tags": ["one", "two"],
        "weights": [(number * 70 + weight) * 0.37 for weight in range(70)],
        "text": "some words that say something " * 10,
    }


samples = [sample(number) for number in range(64)]
print("ready", flush=True)
for line in sys.stdin:
    verb, argument = line.split()
    number = int(argument)
    value = samples[number % 64]
    start = time.perf_counter_ns()
    if verb == "fill":
        with cache.transact():
            for entry in range(number):
                cache.set(("user", entry), samples[entry % 64])
    elif verb == "put":
        cache.set(("user", number), value)
    elif cache.get(("user", number)) is None:
        break
    print(time.perf_counter_ns() - start, flush=True)

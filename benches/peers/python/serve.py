"""A peer's process: answers the driver's requests, a line of JSON each. Usage: python serve.py PEER THREADS"""

import importlib
import json
import sys
import time
from importlib.metadata import version

PEERS = {
    "torch": "pytorch",
    "torch.compile": "pytorch",
    "onnxruntime": "onnx_runtime",
    "fbgemm": "fbgemm",
    "gensim": "word_vectors",
    "fasttext": "supervised",
}

DISTRIBUTIONS = {
    "torch": "torch",
    "torch.compile": "torch",
    "onnxruntime": "onnxruntime",
    "fbgemm": "fbgemm-gpu-cpu",
    "gensim": "gensim",
    "fasttext": "fasttext-wheel",
}


def run(step, samples, steps):
    seconds, values = [], []
    for _ in range(samples):
        started = time.perf_counter()
        for _ in range(steps):
            value = step()
        seconds.append((time.perf_counter() - started) / steps)
        values.append(float(value))
    return {"seconds": seconds, "values": values}


def main(peer, threads):
    load = importlib.import_module(PEERS[peer]).loader(peer, threads)
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        kind, wish = (request, None) if isinstance(request, str) else next(iter(request.items()))
        try:
            if kind == "version":
                answer = {"version": version(DISTRIBUTIONS[peer])}
            elif kind == "load":
                step = None  # what it holds is let go before the next is made
                step = load(wish["case"], wish["file"])
                answer = {}
            else:
                answer = run(step, wish["samples"], wish["steps"])
        except Exception as error:  # the driver leaves the cell empty and says why
            answer = {"error": f"{type(error).__name__}: {error}".split("\n")[0]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

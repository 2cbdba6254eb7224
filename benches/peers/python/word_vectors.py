"""gensim's word2vec: an epoch over a text that was read."""

from gensim.models import Word2Vec


def loader(peer, threads):
    def load(case, file):
        with open(case["text"], encoding="utf-8") as lines:
            sentences = [line.split() for line in lines]
        words = sum(map(len, sentences))
        model = Word2Vec(
            vector_size=case["dim"],
            window=case["window"],
            negative=case["negatives"],
            sg=1,
            sample=1e-3,
            min_count=5,
            workers=threads,
            seed=1,
        )
        model.build_vocab(sentences)

        def step():
            model.train(sentences, total_examples=len(sentences), epochs=1)
            return words

        return step

    return load

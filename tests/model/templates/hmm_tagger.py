"""Words' tags by a hidden Markov model of pairs of tags, with nothing to tune."""

import itertools
import json

import numpy as np

from rapidfire_lab.model import BaseModel, FixedKnob, logger, utils


class HmmTagger(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"smoothing": FixedKnob(0.1)}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self.__dict__.update(knobs)

    def train(self, dataset_path, **kwargs):
        corpus = utils.dataset.load_dataset_of_corpus(dataset_path)
        (count,) = corpus.tag_num_classes
        self._words = {word: place for place, word in enumerate(sorted({word for sent in corpus for word, _ in sent}))}
        starts = np.full(count, self.smoothing)
        moves = np.full((count, count), self.smoothing)
        emissions = np.full((count, len(self._words) + 1), self.smoothing)
        for sent in corpus:
            tags = [tag for _, tag in sent]
            starts[tags[0]] += 1
            for before, after in itertools.pairwise(tags):
                moves[before, after] += 1
            for word, tag in sent:
                emissions[tag, self._words[word]] += 1
        parts = (starts, moves, emissions)
        self._starts, self._moves, self._emissions = (np.log(x / x.sum(axis=-1, keepdims=True)) for x in parts)
        logger.log(words=len(self._words), tags=count)

    def evaluate(self, dataset_path):
        corpus = utils.dataset.load_dataset_of_corpus(dataset_path)
        right = total = 0
        for sent in corpus:
            right += sum(guess == tag for guess, (_, tag) in zip(self._tagged(sent), sent, strict=True))
            total += len(sent)
        return right / total

    def predict(self, queries):
        return [self._tagged([[word] for word in query]) for query in queries]

    def dump_parameters(self):
        return {
            "starts": self._starts,
            "moves": self._moves,
            "emissions": self._emissions,
            "words": json.dumps(self._words),
        }

    def load_parameters(self, params):
        self._starts, self._moves, self._emissions = (params[name] for name in ("starts", "moves", "emissions"))
        self._words = json.loads(params["words"])

    def _tagged(self, sent):
        places = [self._words.get(word, len(self._words)) for word, *_ in sent]
        score = self._starts + self._emissions[:, places[0]]
        back = []
        for place in places[1:]:
            paths = score[:, None] + self._moves
            back.append(paths.argmax(axis=0))
            score = paths.max(axis=0) + self._emissions[:, place]
        tags = [int(score.argmax())]
        for pointers in reversed(back):
            tags.append(int(pointers[tags[-1]]))
        return tags[::-1]

"""Words' tags by a bidirectional LSTM in torch; weights as arrays, and the vocabulary one parameter a word."""

import torch
from torch import nn
from torch.nn import functional

from rapidfire_lab.model import BaseModel, CategoricalKnob, FixedKnob, FloatKnob, IntegerKnob, utils

PADDING = -1


class BiLstmTagger(BaseModel):
    @staticmethod
    def get_knob_config():
        return {
            "epochs": FixedKnob(2),
            "embedding": IntegerKnob(8, 16),
            "hidden": CategoricalKnob([8, 16]),
            "learning_rate": FloatKnob(1e-2, 1e-1, is_exp=True),
            "batch_size": FixedKnob(16),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None, **train_args):
        torch.manual_seed(0)
        corpus = utils.dataset.load_dataset_of_corpus(dataset_path)
        self._words = {}
        for sent in corpus:
            for word, _ in sent:
                self._words.setdefault(word, len(self._words))
        self._tag_count = corpus.tag_num_classes[0]
        self._net = self._make()
        optimizer = torch.optim.Adam(self._net.parameters(), lr=self._knobs["learning_rate"])
        utils.logger.define_loss_plot()
        for epoch in range(self._knobs["epochs"]):
            utils.logger.log_loss(self._epoch(corpus, optimizer), epoch)

    def _epoch(self, corpus, optimizer):
        size = self._knobs["batch_size"]
        starts = range(0, len(corpus), size)
        total = 0.0
        for start in starts:
            words, tags = self._batch(corpus[start : start + size])
            loss = functional.cross_entropy(self._net(words).flatten(0, 1), tags.flatten(), ignore_index=PADDING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / len(starts)

    @torch.no_grad()
    def evaluate(self, dataset_path):
        words, tags = self._batch(utils.dataset.load_dataset_of_corpus(dataset_path)[:])
        real = tags != PADDING
        return (self._net(words).argmax(dim=2)[real] == tags[real]).float().mean().item()

    @torch.no_grad()
    def predict(self, queries):
        words, _ = self._batch([[[word, 0] for word in query] for query in queries])
        tags = self._net(words).argmax(dim=2).tolist()
        return [guessed[: len(query)] for guessed, query in zip(tags, queries, strict=True)]

    def dump_parameters(self):
        weights = {f"net:{name}": tensor.cpu().numpy() for name, tensor in self._net.state_dict().items()}
        words = {f"word:{word}": place for word, place in self._words.items()}
        return {**weights, **words, "tag_count": self._tag_count}

    def load_parameters(self, params):
        self._tag_count = params["tag_count"]
        self._words = {name[5:]: place for name, place in params.items() if name.startswith("word:")}
        self._net = self._make()
        self._net.load_state_dict(
            {name[4:]: torch.from_numpy(value) for name, value in params.items() if name.startswith("net:")}
        )

    def _make(self):
        return Net(len(self._words) + 1, self._tag_count, self._knobs["embedding"], self._knobs["hidden"])

    def _batch(self, sents):
        unknown = len(self._words)
        words = [torch.tensor([self._words.get(word, unknown) for word, _ in sent]) for sent in sents]
        tags = [torch.tensor([tag for _, tag in sent]) for sent in sents]
        pad = nn.utils.rnn.pad_sequence
        return pad(words, batch_first=True, padding_value=unknown), pad(tags, batch_first=True, padding_value=PADDING)


class Net(nn.Module):
    def __init__(self, words, tags, embedding, hidden):
        super().__init__()
        self.embed = nn.Embedding(words, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, tags)

    def forward(self, words):
        return self.head(self.lstm(self.embed(words))[0])

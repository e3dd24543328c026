"""The published ensembles of CoSIS as plain loops, written from their description, oddities and all.

One question after the other, one cell after the other, scikit-learn's PCA and MLPRegressor: what the package is held
against, in the tests and in ``benchmarks/ensembles.py``.

Distances are (2, K, n), to the first and the second image of a question; `order` is 1 where people found the second one
closer; `references` are the rows of the reference images among `vectors`.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

BINS, BACK, AHEAD = 200, 5, 4


def predict(weights, distances, references):
    """Answer 1 where the weighted distance of the first image is greater; a tie is answered 0."""
    answers = []
    for i, reference in enumerate(references):
        first = second = 0.0
        for k, weight in enumerate(weights[reference]):
            first += weight * float(distances[0][k][i])
            second += weight * float(distances[1][k][i])
        answers.append(1 if first > second else 0)
    return answers


def majority(distances):
    """Return how many models answer 1, per question."""
    return [
        sum(1 for k in range(len(distances[0])) if distances[0][k][i] > distances[1][k][i])
        for i in range(len(distances[0][0]))
    ]


def accuracy_by_reference(distances, order, references):
    """Return for every reference the share of its questions that each model answers as people did."""
    right, total = {}, {}
    for i, reference in enumerate(references):
        counts = right.setdefault(reference, [0] * len(distances[0]))
        total[reference] = total.get(reference, 0) + 1
        for k in range(len(counts)):
            answer = 1 if distances[0][k][i] > distances[1][k][i] else 0
            counts[k] += answer == order[i]
    return {reference: [count / total[reference] for count in right[reference]] for reference in right}


def principal(vectors, rows, dim):
    """Fit on some images only, then apply to everything.

    In float64 and by the exact solver: that which scikit-learn chooses for wide features draws by chance, and the
    published program has no seed.
    """
    from sklearn.decomposition import PCA

    vectors = np.asarray(vectors, np.float64)
    return PCA(dim, svd_solver="full").fit(vectors[rows]).transform(vectors)


def bin_of(value, edges):
    """Bins hold their start and not their end; what is outside is in the first or in the last."""
    if value >= edges[-1]:
        return BINS - 1
    for number in range(BINS):
        if edges[number] <= value < edges[number + 1]:
            return number
    return 0


def cell_of(point, edges):
    """The row is the bin of the second coordinate, the column that of the first."""
    return bin_of(point[1], edges[1]), bin_of(point[0], edges[0])


def grid_weights(points, accuracy, mode, threshold=0.75):
    """Return the weights of every cell, (200, 200, K), and the edges of the bins, from the points of the references."""
    held = [points[reference] for reference in accuracy]
    edges = [np.linspace(min(p[axis] for p in held), max(p[axis] for p in held), BINS + 1) for axis in (0, 1)]
    cells = {}
    for reference, shares in accuracy.items():
        cells.setdefault(cell_of(points[reference], edges), []).append(shares)
    mean = {cell: [sum(column) / len(column) for column in zip(*shares, strict=True)] for cell, shares in cells.items()}
    models = len(next(iter(accuracy.values())))
    table = np.empty((BINS, BINS, models))
    for row in range(BINS):
        band = [cell for cell in sorted(cells) if row - BACK <= cell[0] <= row + AHEAD]
        for column in range(BINS):
            window = [cell for cell in band if column - BACK <= cell[1] <= column + AHEAD]
            number, sums = 0, [0.0] * models
            for cell in window:
                number += len(cells[cell])
                sums = [s + m * len(cells[cell]) for s, m in zip(sums, mean[cell], strict=True)]
            share = [s / number for s in sums] if number else [math.nan] * models
            table[row, column] = _weights(share, mode, threshold)
    return table, edges


def _weights(accuracy, mode, threshold):
    models = len(accuracy)
    empty = math.isnan(accuracy[0])
    best = [0.0] * models
    if mode == "max":
        best[0 if empty else accuracy.index(max(accuracy))] = 1 / models if empty else 1.0
        return best
    kept = accuracy if mode == "avg" else [share if share > threshold else 0.0 for share in accuracy]
    if empty or (mode == "avg" and not sum(kept)):
        return [1 / models] * models
    if not sum(kept):
        best[accuracy.index(max(accuracy))] = 1.0
        return best
    return [share / sum(kept) for share in kept]


def grid(vectors, points, accuracy, mode, references):
    """Return the weights of each reference asked about."""
    table, edges = grid_weights(points, accuracy, mode)
    return {reference: table[cell_of(points[reference], edges)] for reference in set(references)}


def mlp(points, accuracy, seed, references):
    """Return the weights of each reference asked about: a regressor per model, predictions divided by their sum.

    In what order the published program goes through the references, which batches depend on, is not known, nor is its
    seed: here they are in the order of their numbers.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    held = sorted(accuracy)
    inputs = np.array([points[reference] for reference in held])
    networks = []
    for k in range(len(accuracy[held[0]])):
        network = MLPRegressor(
            hidden_layer_sizes=16, activation="logistic", learning_rate_init=0.001, max_iter=200, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            networks.append(network.fit(inputs, np.array([accuracy[reference][k] for reference in held])))
    found = {}
    for reference in set(references):
        predicted = [float(network.predict([points[reference]])[0]) for network in networks]
        found[reference] = [share / sum(predicted) for share in predicted]
    return found

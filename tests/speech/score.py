"""Prepares recorded speech for `cargo xtask bench audio`, and rates what arrived.

score.py clips OUT LANGUAGE_FOLDER...   writes OUT/NN.wav: mono, 48 kHz, about ten seconds, four for each folder
score.py pesq FOLDER                    reads pairs of paths (reference, degraded; a tab between) from standard input,
                                        relative to FOLDER, and prints one PESQ-wb score (ITU-T P.862.2) a line
score.py stoi FOLDER                    the same with STOI (Taal et al., IEEE TASLP 19, 2011)
"""

import sys
import wave
from multiprocessing import Pool
from pathlib import Path

import numpy as np

WIDE, FULL = 16_000, 48_000
CLIPS_PER_FOLDER = 4
CLIP_SECONDS = 10
# A long recording is cut here.
MOST_SECONDS = 12
# A recording of at least this many bytes (3 s at 64 kbit/s) is a sentence and not a word.
SENTENCE_BYTES = 24_000
PAUSE_SECONDS = 0.3
# Root mean square of a clip, -26 dBFS as in ITU-T P.56.
LEVEL = 10 ** (-26 / 20)


def low_pass():
    """A filter for a third of the band, windowed by Kaiser; its gain is one."""
    taps = np.arange(-120, 121)
    filter = np.sinc(taps / 3 * 0.94) * np.kaiser(len(taps), 9)
    return filter / filter.sum()


def read(path):
    with wave.open(str(path)) as file:
        assert file.getframerate() == FULL and file.getnchannels() == 1, path
        return np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(FULL)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes())


def upsample(samples):
    sparse = np.zeros(3 * len(samples))
    sparse[::3] = 3 * samples
    return np.convolve(sparse, low_pass(), "same")


def clip(recordings):
    """Joins recordings from the iterator until the clip is long enough."""
    from G722 import G722

    parts, length = [], 0
    while length < CLIP_SECONDS * WIDE:
        decoded = np.array(G722(WIDE, 64_000).decode(next(recordings).read_bytes()), float) / 32768
        parts += [decoded, np.zeros(int(PAUSE_SECONDS * WIDE))]
        length += sum(map(len, parts[-2:]))
    return np.concatenate(parts)[: MOST_SECONDS * WIDE]


def clips(out, folders):
    out.mkdir(parents=True, exist_ok=True)
    number = 0
    for folder in folders:
        long_enough = (path for path in sorted(folder.glob("*.g722")) if path.stat().st_size >= SENTENCE_BYTES)
        for _ in range(CLIPS_PER_FOLDER):
            samples = upsample(clip(long_enough))
            write(out / f"{number:02}.wav", samples * LEVEL / np.sqrt(np.mean(samples**2)))
            number += 1


def score(pair):
    from pesq import PesqError, pesq

    reference, degraded = (np.convolve(read(path), low_pass(), "same")[::3] for path in pair)
    result = pesq(WIDE, reference, degraded, "wb", on_error=PesqError.RETURN_VALUES)
    return float("nan") if result < 0 else result


def intelligibility(pair):
    from pystoi import stoi

    reference, degraded = (read(path) for path in pair)
    length = min(len(reference), len(degraded))
    return stoi(reference[:length], degraded[:length], FULL)


def scores(folder, rate):
    pairs = [[folder / path for path in line.rstrip("\n").split("\t")] for line in sys.stdin]
    with Pool() as pool:
        for result in pool.imap(rate, pairs):
            print(f"{result:.3f}", flush=True)


if __name__ == "__main__":
    command, folder, *rest = sys.argv[1:]
    if command == "clips":
        clips(Path(folder), map(Path, rest))
    else:
        scores(Path(folder), {"pesq": score, "stoi": intelligibility}[command])

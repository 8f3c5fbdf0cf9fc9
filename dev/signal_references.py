"""Prints Tests/Values/Signals/SignalReferences.swift: what numpy and scipy make of the signals of its tests.

    python3 -m dev.signal_references > Tests/Values/Signals/SignalReferences.swift
"""
import numpy
import scipy.signal
import scipy.stats

RATE = 2560.0
COUNT = 1 << 17


def noise(count, seed):
    """The pseudo-random numbers of the tests, evenly spread over -0.5…0.5: a linear congruential generator."""
    state, numbers = seed, numpy.empty(count)
    for index in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        numbers[index] = (state >> 11) / 2**53 - 0.5
    return numbers


def level(samples, low, high, window, settling):
    """The root mean squares of the windows, each a quarter later, after Butterworth filters of the fourth order."""
    if low > 0:
        samples = scipy.signal.sosfilt(scipy.signal.butter(4, low, "highpass", fs=RATE, output="sos"), samples - samples[0])
    samples = scipy.signal.sosfilt(scipy.signal.butter(4, high, "lowpass", fs=RATE, output="sos"), samples)
    # The filter of the tests gives its results three samples late.
    samples = numpy.concatenate([numpy.zeros(3), samples])[settling:COUNT]
    length = int(round(window * RATE / 4))
    squares = numpy.add.reduceat(samples[: len(samples) // length * length] ** 2, range(0, len(samples) // length * length, length))
    return numpy.sqrt(numpy.convolve(squares, numpy.ones(4), "valid") / (4 * length))


def velocity(samples, low, high):
    """The root mean square of the integral in mm/s, in the frequency domain, by the edges that analog filters would have."""
    lines = numpy.fft.rfft(samples)[1:]
    hertz = numpy.fft.rfftfreq(len(samples), 1 / RATE)[1:]
    warp = lambda f: numpy.tan(numpy.pi * numpy.minimum(f, RATE / 2 * 0.999999) / RATE)
    gain = 1 / numpy.sqrt(1 + (warp(low) / warp(hertz)) ** 8) / numpy.sqrt(1 + (warp(hertz) / warp(high)) ** 8)
    power = numpy.abs(1000 * lines * gain / (2 * numpy.pi * hertz)) ** 2
    return numpy.sqrt(2 * power.sum()) / len(samples)


def swift(name, text, values):
    numbers = [repr(float(value)) for value in numpy.atleast_1d(values)]
    body = ", ".join(numbers)
    print(f"    /// {text}")
    if numpy.ndim(values) == 0:
        print(f"    static let {name} = {body}")
    else:
        lines = [", ".join(numbers[first : first + 5]) for first in range(0, len(numbers), 5)]
        print(f"    static let {name} = [\n        " + ",\n        ".join(lines) + ",\n    ]")


def main():
    samples = noise(COUNT, 1)
    print("/// Made by dev/signal_references.py with numpy and scipy.")
    print("enum SignalReferences {")
    settling = int(numpy.ceil(RATE * 5 / 10))
    swift("levels", "Of the band 10 Hz to 1000 Hz, windows of 4 s.", level(samples, 10, 1000, 4, settling)[::4])
    settling = int(numpy.ceil(RATE * 5 / 40))
    swift("narrowLevels", "Of the band 40 Hz to 60 Hz, windows of 8 s.", level(samples, 40, 60, 8, settling)[::4])
    swift("velocity", "The integral of all samples in the band 10 Hz to 1000 Hz, times 1000.", velocity(samples, 10, 1000))
    offset = 1e6 + samples[:5000] ** 3
    swift("kurtosis", "Of 1,000,000 + the cubes of the first 5000.", scipy.stats.kurtosis(offset, fisher=False))
    peak = numpy.abs(offset - offset.mean()).max()
    swift("crestFactor", "Of the same.", peak / offset.std())
    print("}")


if __name__ == "__main__":
    main()

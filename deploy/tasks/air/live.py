"""Sensors stream in, forecasts and alarms come out: `python -m deploy.tasks.air.live [--alarm 150] --name NAME < CSV`.

Each line of the input is an hour of a station: station, hour of the day, PM2.5 in µg/m³ (empty where the sensor was
silent), temperature in °C, dew point in °C, pressure in hPa, wind speed in m/s, wind direction (N, NNE, ...). From the
24th hour of a station on, each is followed by the forecast of the released model for six hours later, and by an alarm
where that reaches the limit:

    Dongsi        05:00   148 µg/m³ now   171 at 11:00   4 ms   ALARM

`--replay evaluation.safetensors` plays the task's own measurements instead, hour by hour of all stations, `--hours` an
hour a second, and says at the end how far the forecasts were off.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from deploy.tasks.air.data import AHEAD, SCALES, STATIONS, WINDOW, Values, features
from deploy.tasks.air.prepare import PRESSURE, WINDS
from deploy.tasks.live_client import arguments_of, client_of, run
from fluvial.inference.streaming import Answered, answers

ALARM = 150.0
"""µg/m³ from which on an alarm is given: "very unhealthy" of the EPA's index begins near it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """An hour of a station, in the units of the task's files: pm µg/m³ or -1, weather int8[4] in steps, wind 0 to 15.
    later: what was measured AHEAD hours later, where that is known."""

    station: str
    hour: int
    pm: int
    weather: tuple[int, ...]
    wind: int
    later: int = -1


@dataclass(slots=True)
class Windows:
    """The newest day of each station, and what it had measured last before that."""

    _hours: dict[str, deque[Hour]] = field(default_factory=dict)
    _before: dict[str, int] = field(default_factory=dict)

    def take(self, hour: Hour) -> Values | None:
        """float32[24, 10] of the day that ends with this hour; None before there is a day, and a measurement."""
        hours = self._hours.setdefault(hour.station, deque())
        hours.append(hour)
        if len(hours) > WINDOW and (gone := hours.popleft()).pm >= 0:
            self._before[hour.station] = gone.pm
        before = self._before.get(hour.station, -1)
        if len(hours) < WINDOW or (before < 0 and all(one.pm < 0 for one in hours)):
            return None
        pm = np.array([one.pm for one in hours], np.int16)
        weather = np.array([one.weather for one in hours], np.int8)
        wind = np.array([one.wind for one in hours], np.int8)
        return features(pm, weather, wind, hours[0].hour, max(before, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alarm", type=float, default=ALARM, help="µg/m³ from which on a forecast is an alarm")
    parser.add_argument("--replay", type=Path, help="a .safetensors file with the measurements of all stations")
    parser.add_argument("--hours", type=float, default=1.0, help="of a replay in a second")
    arguments = arguments_of(parser, "air")
    hours = replayed(arguments.replay, arguments.hours) if arguments.replay else map(parsed, sys.stdin)
    errors: list[float] = []
    alarms = 0
    with client_of(arguments) as client:
        for one in answers(client, arguments.task, days(hours)):
            if not isinstance(one, Answered):
                print(f"{one[0].station:<14} no forecast: {one[1]}", flush=True)
                continue
            hour, forecast = one.label, float(one.outputs)
            alarm = forecast >= arguments.alarm
            alarms += alarm
            print(told(hour, forecast, one.seconds, alarm=alarm), flush=True)
            if hour.later >= 0:
                errors.append(abs(forecast - hour.later))
    if errors:
        print(f"{len(errors)} forecasts, {np.mean(errors):.1f} µg/m³ off in the mean, {alarms} alarms")


def days(hours: Iterable[Hour]) -> Iterator[tuple[Hour, Values]]:
    """Each hour that a day lies behind, with that day."""
    windows = Windows()
    for hour in hours:
        if (window := windows.take(hour)) is not None:
            yield hour, window


def told(hour: Hour, forecast: float, seconds: float, *, alarm: bool) -> str:
    """The line that a forecast makes."""
    now = f"{hour.pm:4d} µg/m³ now" if hour.pm >= 0 else "  silent      "
    then = f"{forecast:4.0f} at {(hour.hour + AHEAD) % 24:02}:00"
    return f"{hour.station:<14} {hour.hour:02}:00  {now}  {then}  {1000 * seconds:3.0f} ms{'   ALARM' if alarm else ''}"


def parsed(line: str) -> Hour:
    """An hour of a line of CSV. Raises ValueError that shows the line."""
    try:
        station, hour, pm, *weather, wind = (part.strip() for part in line.split(","))
        values = np.array([float(value) for value in weather]) - (0, 0, PRESSURE, 0)
        steps = np.clip(np.rint(values / SCALES), -128, 127).astype(int)
        return Hour(
            station=station,
            hour=int(hour) % 24,
            pm=round(float(pm)) if pm else -1,
            weather=tuple(steps.tolist()),
            wind=WINDS.index(wind),
        )
    except ValueError as error:
        raise ValueError(
            "a line is station, hour, PM2.5, temperature, dew point, pressure, wind speed, wind direction; "
            f"this one is {line.strip()!r}"
        ) from error


def replayed(file: Path, hours_per_second: float) -> Iterator[Hour]:
    """The measurements of all stations, hour by hour, stretch by stretch."""
    arrays = load_file(file)
    num_stretches, num_hours = arrays["pm"].shape[1:]
    begin = time.monotonic()
    for number in range(num_stretches * num_hours):
        stretch, hour = divmod(number, num_hours)
        time.sleep(max(0.0, begin + number / hours_per_second - time.monotonic()))
        for index, station in enumerate(STATIONS):
            pm, later = arrays["pm"][index, stretch], hour + AHEAD
            yield Hour(
                # A stretch is another month: its first forecast waits for a day of its own.
                station=station if num_stretches == 1 else f"{station}/{stretch + 1}",
                hour=hour % 24,
                pm=int(pm[hour]),
                weather=tuple(int(value) for value in arrays["weather"][index, stretch, hour]),
                wind=int(arrays["wind"][index, stretch, hour]),
                later=int(pm[later]) if later < num_hours else -1,
            )


if __name__ == "__main__":
    run(main)

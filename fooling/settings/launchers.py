"""Settings of the launchers: where the jobs of a command run; `launcher=NAME` chooses one."""

from typing import Annotated, Literal

from pydantic import Field

from fooling.settings.fields import Float, Int, SettingsModel, Text

NAME = "where the jobs of a command run"


class LocalSettings(SettingsModel):
    """One job after the other in this process."""

    name: Literal["local"] = Field(description=NAME)


class DaskSettings(SettingsModel):
    """Jobs side by side on workers of dask.distributed."""

    name: Literal["dask"] = Field(description=NAME)
    address: Text | None = Field(
        description="address of a scheduler, tcp://HOST:8786; null = start workers on this machine and end them afterwards"
    )
    workers: Int | None = Field(
        ge=1,
        le=100_000,
        description="number of workers that are started, null = one per core; with an address how many the command waits for, "
        "null = 1",
    )
    wait: Float = Field(gt=0, le=1_000_000, description="seconds that the command waits for the scheduler and the workers")


AnyLauncherSettings = Annotated[LocalSettings | DaskSettings, Field(discriminator="name")]

"""Settings of the launchers: where the jobs of a command run; `launcher=NAME` chooses one."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fooling.settings.fields import Float, Int, SettingsModel, Text

NAME = "where the jobs of a command run"


def check_address(address: str) -> str:
    """The address of a scheduler. Raises ValueError for what is none."""
    if not re.fullmatch(r"(tcp|tls|ucx|wss?)://\S+:\d{1,5}", address):
        raise ValueError("the address of a scheduler with its port, such as tcp://HOST:8786 or tls://HOST:8786")
    return address


class LocalSettings(SettingsModel):
    """One job after the other in this process."""

    name: Literal["local"] = Field(description=NAME)


class DaskSettings(SettingsModel):
    """Jobs side by side on workers of dask.distributed."""

    name: Literal["dask"] = Field(description=NAME)
    address: Annotated[Text, AfterValidator(check_address)] | None = Field(
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

"""Settings of `fooling export`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fooling.settings.fields import Bool, Names, SettingsModel, Text


class ExportSettings(SettingsModel):
    """Settings of `fooling export`."""

    records: Names = Field(description="record folders whose images are exported; they can also be written without records=")
    out: Text | None = Field(description="folder to write, a new one")
    layout: Literal["folder", "openood", "pytorch-ood", "npz", "parquet"] = Field(
        description="folder = PNGs by class; openood = with OpenOOD's image list and data set file; pytorch-ood = with a data "
        "set class whose labels are -1; npz = arrays; parquet = a table with PNGs, for Hugging Face datasets (extra [parquet])"
    )
    all: Bool = Field(description="also images that did not succeed; false = only those that did")
    overwrite: Bool = Field(description="replace an earlier export in out")
    quiet: Bool = Field(description="print errors only")

    @model_validator(mode="after")
    def check_places(self) -> Self:
        """An export has records to read and a folder to write."""
        if not self.records:
            raise ValueError("records: expected record folders, fooling export runs/NAME out=set, got none")
        if not self.out:
            raise ValueError("out: expected the name of a new folder, out=set, got null")
        return self

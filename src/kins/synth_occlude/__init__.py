"""Amodal data from modal data, by pasting."""

from kins.synth_occlude.datasets import synth_occlude as synth_occlude

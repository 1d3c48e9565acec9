"""What a user may write: scenarios, books, presets, and the messages when it is wrong."""

from sim.schema.behaviour import Behaviour
from sim.schema.books import Book, load_book
from sim.schema.coupling import Coupling
from sim.schema.distributions import Distribution
from sim.schema.experiment import Experiment, Factor
from sim.schema.identity import canonical, file_digests, resolved, scenario_id
from sim.schema.impact import Impact
from sim.schema.json_schema import json_schema
from sim.schema.liquidation import Liquidation
from sim.schema.loader import load, load_experiment, load_mapping, load_text
from sim.schema.margin import Margin, MarginCall, Tier
from sim.schema.mark import Mark
from sim.schema.market import Market
from sim.schema.pathfile import PricePath, load_path
from sim.schema.preset_notes import PresetNotes, preset_notes
from sim.schema.presets import list_presets, list_versions, preset
from sim.schema.risk_model import RiskModel, StressMargin, StressStep
from sim.schema.scenario import Scenario
from sim.schema.shocks import Shock
from sim.schema.traders import BookSource, Cohort, TopUp
from sim.schema.venue import Venue
from sim.schema.waterfall import Layer
from sim.schema.world import Asset, Clock, Engine, Record

__all__ = [
    "Asset",
    "Behaviour",
    "Book",
    "BookSource",
    "Clock",
    "Cohort",
    "Coupling",
    "Distribution",
    "Engine",
    "Experiment",
    "Factor",
    "Impact",
    "Layer",
    "Liquidation",
    "Margin",
    "MarginCall",
    "Mark",
    "Market",
    "PresetNotes",
    "PricePath",
    "Record",
    "RiskModel",
    "Scenario",
    "Shock",
    "StressMargin",
    "StressStep",
    "Tier",
    "TopUp",
    "Venue",
    "canonical",
    "file_digests",
    "json_schema",
    "list_presets",
    "list_versions",
    "load",
    "load_book",
    "load_experiment",
    "load_mapping",
    "load_path",
    "load_text",
    "preset",
    "preset_notes",
    "resolved",
    "scenario_id",
]

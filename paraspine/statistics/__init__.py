"""Statistics: correlations, intervals, variance shares, tests, reliability.

Slices of a subject are not independent, so intervals resample *subjects* (``groups``) wherever a
grouping is given. NaN means "undefined" throughout: it is left out and counted, never a zero.
Resamples, confidence and seed are those of `defaults` (`set_defaults`) unless a call gives others.
"""

from . import sums
from .agreement import BlandAltman, bland_altman, icc21
from .anova import rm_anova
from .bootstrap import (
    ClusterWeights,
    bca_interval,
    bootstrap_p,
    cluster_bootstrap,
    cluster_weights,
    percentile_interval,
)
from .comparisons import holm, paired_test
from .correlation import pearson, spearman
from .estimate import Estimate
from .options import Defaults, defaults, set_defaults
from .sums import difference_interval, mean_interval
from .tables import correlation_table, difference_table, mean_table
from .variance import VariancePartition, variance_partition, variance_partition_table

__all__ = [
    "BlandAltman",
    "ClusterWeights",
    "Defaults",
    "Estimate",
    "VariancePartition",
    "bca_interval",
    "bland_altman",
    "bootstrap_p",
    "cluster_bootstrap",
    "cluster_weights",
    "correlation_table",
    "defaults",
    "difference_interval",
    "difference_table",
    "holm",
    "icc21",
    "mean_interval",
    "mean_table",
    "paired_test",
    "pearson",
    "percentile_interval",
    "rm_anova",
    "set_defaults",
    "spearman",
    "sums",
    "variance_partition",
    "variance_partition_table",
]

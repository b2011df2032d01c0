"""What the page of groups says in words."""

from typing import Any

from genus.estimators.grouped import GroupedImages
from genus.wording import count

WHAT_IT_MEANS = {
    "agreement": "mean adjusted Rand index with all the others: 1 means that all found the same groups",
    "silhouette": "how much nearer an image is to its own group than to the next, -1 to 1",
    "calinski_harabasz": "spread between groups over spread within; higher is better",
    "davies_bouldin": "how alike each group is to the one most like it; lower is better",
    "stability": "agreement of what it makes of two halves of the images",
    "balance": "how even the sizes are: 1 if all are equal",
}
"""The columns of the table of trials, in the order shown."""

WHAT_TRUTH_MEANS = {
    "adj. Rand": "adjusted Rand index with the known labels: 1 is the same grouping, 0 is chance",
    "NMI": "normalised mutual information with them, 0 to 1; their V-measure is the same number",
    "matched": "Hungarian accuracy: the share right when each label is matched with one group",
}
"""The columns that are there where labels are known."""

_METRICS = {
    "agreement": "agrees best with the others",
    "silhouette": "has the highest silhouette",
    "calinski_harabasz": "has the highest Calinski-Harabasz index",
    "davies_bouldin": "has the lowest Davies-Bouldin index",
    "stability": "is the most stable",
    "adjusted_rand": "is nearest to the labels that are known",
}


def headline(grouped: GroupedImages) -> str:
    """Say what was found."""
    n = int((grouped.labels >= 0).sum())
    return f"{count(n, 'image')} in {count(len(grouped.numbers), 'group')}."


def basis(grouped: GroupedImages) -> str:
    """Say what a reader should think of it."""
    agreement = grouped.comparison["rows"][0]["agreement"]
    if len(grouped.comparison["rows"]) < 2 or len(grouped.numbers) < 2:
        return "Nothing was known of the images beforehand."
    how = "clear" if agreement > 0.7 else "fairly clear" if agreement > 0.4 else "not clear-cut"
    return (
        f"The groups are {how}: the ways of grouping agree with this one to {agreement:.0%} on average. Look at the "
        "pictures, split and merge where you see it differently, then give the groups names."
    )


def why(grouped: GroupedImages) -> str:
    """Say why the winner won."""
    compared: Any = grouped.comparison
    if compared["n_clusters"] == 1:
        return (
            "There is one group: there are too few different images to look for more, or one was asked for."
        )
    first, metric = compared["rows"][0], compared["metric"]
    of = (
        f"of {len(compared['rows'])} groupings into {compared['n_clusters']}"
        if len(compared["rows"]) > 1
        else ""
    )
    how = f"{_METRICS[metric]} {of}".strip()
    if first["name"] == "label spreading" and metric == "agreement":
        return (
            "Label spreading: enough images of every group were known, so their labels went on to the images most like "
            "them, and from these to the next."
        )
    if first["name"] == "consensus":
        return f"The consensus {how}: it puts together what most of the algorithms put together."
    return f"{first['name']} {how}."

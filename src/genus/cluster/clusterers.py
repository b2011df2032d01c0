"""The built-in clustering algorithms by name. Listing them imports nothing."""

from genus.registry import Registry

CLUSTERERS = Registry(
    "clusterer",
    {
        "kmeans": "genus.cluster.kmeans:KMeans",
        "minibatch": "genus.cluster.minibatch:MiniBatchKMeans",
        "agglomerative": "genus.cluster.agglomerative:Agglomerative",
        "birch": "genus.cluster.birch:Birch",
        "mixture": "genus.cluster.mixture:GaussianMixture",
        "spectral": "genus.cluster.spectral:Spectral",
        "hdbscan": "genus.cluster.hdbscan:Hdbscan",
    },
    "genus.clusterers",
)

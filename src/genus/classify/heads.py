"""The built-in heads by name. Listing them imports nothing."""

from genus.registry import Registry

HEADS = Registry(
    "head",
    {
        "logistic": "genus.classify.logistic:LogisticHead",
        "linear_svm": "genus.classify.linear_svm:LinearSVMHead",
        "lda": "genus.classify.lda:LDAHead",
        "prototype": "genus.classify.prototype:PrototypeHead",
        "knn": "genus.classify.knn:KNNHead",
        "rbf": "genus.classify.rbf:RBFHead",
        "mlp": "genus.classify.mlp:MLPHead",
        "ensemble": "genus.classify.ensemble:EnsembleHead",
    },
    "genus.heads",
)

"""Writes tests/eval/sklearn.inc: what scikit-learn makes of the numbers that tests/eval/probes.c makes, too.
sklearn_fixture.py > sklearn.inc"""
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

N, TEST, D, K, PENALTY = 90, 40, 6, 3, 0.1


def sines(first, n):
    i, d = np.arange(first, first + n)[:, None], np.arange(D)[None, :]
    x = np.sin(1 + 7.3 * i + 1.7 * d) * (d + 1) + 0.5 * np.cos((i % K) * (d + 2))
    return x.astype(np.float32), np.arange(first, first + n) % K


def table(name, coef, intercept):
    rows = np.concatenate([coef, intercept[:, None]], 1)
    print("static const double %s[SKLEARN_K * (SKLEARN_D + 1)] = {" % name)
    for row in rows:
        print("    " + " ".join("%.10g," % v for v in row))
    print("};")


x, y = sines(0, N)
test = sines(N, TEST)[0]
scaled = StandardScaler().fit_transform(x.astype(np.float64))
logistic = LogisticRegression(C=1 / (0.01 * N), solver="newton-cg", tol=1e-12, max_iter=10000).fit(scaled, y)
ridge = Ridge(alpha=PENALTY * N, solver="cholesky").fit(scaled, np.eye(K)[y])
votes = KNeighborsClassifier(10, metric="cosine", algorithm="brute").fit(x, y).predict_proba(test)
knn = [int(v.argmax()) if (v == v.max()).sum() == 1 else -1 for v in votes]
print("/* By sklearn_fixture.py, scikit-learn %s. Weights and bias of each class; guesses, -1: a tie. */" % sklearn.__version__)
print("enum { SKLEARN_N = %d, SKLEARN_TEST = %d, SKLEARN_D = %d, SKLEARN_K = %d };" % (N, TEST, D, K))
print("#define SKLEARN_PENALTY %g" % PENALTY)
table("sklearn_logistic", logistic.coef_, logistic.intercept_)
table("sklearn_ridge", ridge.coef_, ridge.intercept_)
print("static const int sklearn_knn[SKLEARN_TEST] = {%s};" % ", ".join(map(str, knn)))

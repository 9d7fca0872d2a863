"""The numbers of the paper (Zaremba et al. 2014, arXiv 1409.2329) and the runs that stand beside them."""

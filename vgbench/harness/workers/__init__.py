"""Who measures: processes on this host or on a cluster, each supervised."""

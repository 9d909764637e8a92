"""Studies: policies x worlds or tasksets x seeds, on one machine or a cluster, resumable.

`jobs` runs independent jobs, `worlds` simulates, `training` trains (and needs torch).
"""

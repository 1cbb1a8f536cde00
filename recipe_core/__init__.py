"""Recipe: Karpathy's recipe for training neural networks as a workbench.

`from recipe_core import recipe` is the front desk.
"""

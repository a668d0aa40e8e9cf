"""The utility study: does training with synthetic images help a classifier on real ones?"""

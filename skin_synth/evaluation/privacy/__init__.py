"""Membership inference: do the images of a generator give its training images away?"""

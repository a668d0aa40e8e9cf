"""The generator as a SavedModel: signatures, versions, model card, warm-up requests."""

"""Reports as people and programs read them: JSON, HTML, charts, reader study."""

"""Reports for people and programs: JSON, HTML, charts, reader study."""

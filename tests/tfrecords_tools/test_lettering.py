"""Text in pictures: every letter has a sign, or its number."""

from __future__ import annotations

import pytest
from PIL import ImageFont

from tfrecords_tools import lettering as module
from tfrecords_tools.lettering import font_file, legible, lettering


def test_ascii_text_keeps_the_font_of_pillow():
    text, font = lettering("mel: 24 of 1,000 $_^\\", 15)
    assert text == "mel: 24 of 1,000 $_^\\"
    assert font.getname() == ImageFont.load_default(15).getname()


@pytest.mark.parametrize("name", ["Nævus", "café", "меланома", "μελάνωμα", "Ünïcödé", "وحمة"])
def test_letters_that_a_font_has_are_drawn_and_differ(name):
    text, font = lettering(name, 15)
    assert text == name
    signs = {bytes(font.getmask(letter)) for letter in name}
    assert len(signs) == len(set(name))


def test_letters_that_no_font_has_are_written_as_numbers(monkeypatch):
    monkeypatch.setattr(module, "_system_fonts", lambda: ())
    font_file.cache_clear()
    assert lettering("æ光\u200b", 15)[0] == "æ[U+5149][U+200B]"
    font_file.cache_clear()


def test_a_damaged_font_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "a.ttf").write_bytes(b"no font")
    monkeypatch.setattr(module, "_system_fonts", lambda: (tmp_path / "a.ttf",))
    font_file.cache_clear()
    assert font_file("光") is not None
    assert legible("光", tmp_path / "a.ttf") == "[U+5149]"
    font_file.cache_clear()

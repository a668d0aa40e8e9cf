"""What a generator gives away: can its training images be recognised by its images?"""

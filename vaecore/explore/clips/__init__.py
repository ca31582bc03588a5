"""Looking at a model of clips: futures rolled out, their scores, and clips as files."""

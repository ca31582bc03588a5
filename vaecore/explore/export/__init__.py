"""What leaves the laboratory: networks as graphs for a browser and as ONNX, codes, films, programs, one HTML page."""

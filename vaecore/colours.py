"""Colours of classes, wherever these are drawn: on pages, and in files that leave them."""

# None is taken for a run, nor for another class where points of both lie among each other: at least 3:1 on white and on
# black.
CLASSES = ("#CE063C", "#5257E2", "#A67A00", "#51A705", "#1D96E5", "#CF27AB", "#289D96", "#5D6C49", "#EA6628", "#A58084")

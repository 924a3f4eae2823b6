"""An upgrade by one release and back, by rolling restarts, while transfers wait: `make upgrade-drill`."""

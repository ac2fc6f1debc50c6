"""Load our plugin where joulebench was not installed, and pytester for the plugin's own tests."""

pytest_plugins = ["energy.plugin", "pytester"]

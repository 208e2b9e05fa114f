"""What can be asked of the read models: each question once, for HTTP and the command line alike."""

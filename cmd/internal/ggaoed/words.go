package ggaoed

// words is an error as the originals said it, for scripts that look for that.
type words string

func (w words) Error() string { return string(w) }

const (
	notLoaded      words = "Loading the config file has failed"
	alreadyRunning words = "Another instance of the daemon seems to be already running, exiting"
	noDevices      words = "No valid devices defined, shutting down"
	notReloading   words = "The config file contains errors, not reloading"
	noCommand      words = "You must specify a command."
	unknownCommand words = "Unknown command"
	noNames        words = "No names were given on the command line"
	unknownHello   words = "Unknown response for HELLO"
)

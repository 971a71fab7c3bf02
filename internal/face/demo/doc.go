// Package demo does the main job from the outside, as people would: it knows the public client, git and HTTP, and
// nothing of the house. What it shows is what users get.
package demo

// Package kubernetestest runs a real API server of Kubernetes for tests, beside the kubectl of the same version: the programs
// that `make kubernetes` builds. It has its own port and folder, nothing that would run pods, and ends with the test.
package kubernetestest

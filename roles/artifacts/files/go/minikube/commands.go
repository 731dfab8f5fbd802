//go:build tools

// Package minikube pins the commands that the role builds.
package minikube

import (
	_ "k8s.io/minikube/cmd/minikube"
)

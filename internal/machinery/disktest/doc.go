// Package disktest gives tests a small disk of their own, and fills it.
package disktest

// Package node is this machine as a tiny Kubernetes cluster: a body of cluster.Cluster without anything to install.
//
// It takes Namespaces, Deployments, Services, ConfigMaps, Secrets and Ingresses in their own manifests, decoded
// strictly: an unknown field, a wrong type or something that it will not do is refused with the field and what to
// change; a valid field on which it does not act becomes a warning of the change.
//
// What runs where:
//   - The program of a pod's image is a process that execute isolates. Its network is loopback alone; each of its
//     ports is a unix socket on the host. The image's top-level folders are shown read-only at their own places,
//     the whole image at /image. The system's own folders (/usr, /etc, /lib, …) stay the executor's: a program that
//     lies in them is started below /image, so it should be linked statically. /work and /tmp can be written.
//   - Ingress is an http.Handler that finds a pod by host name and path. A pod leaves its services before it is
//     asked to end, and ends when the requests in it are answered, so that an update drops none.
//     It speaks HTTP/1.1 to pods, with upgrades (web sockets) and streams.
//   - A pod reaches the services of its namespace by HTTP: HTTP_PROXY names a door at 127.0.0.1:15001 that knows
//     SERVICE, SERVICE.NAMESPACE and SERVICE.NAMESPACE.svc.cluster.local, with CONNECT for other protocols. A service
//     of another namespace is reached if it lets this one in, by the annotation roadbed.dev/allow-from. There is no way
//     out to anywhere else.
//   - A Service without a readiness probe behind it would be handed requests before the program listens; so a pod
//     that declares ports is ready only when the first of them accepts (for at most 30 s it is waited for).
//   - A volume that holds more than its sizeLimit, or a pod whose volumes and other files hold more than the container's
//     limit of ephemeral-storage, is found within seconds: the pod is Evicted, in its place. It begins anew with its init
//     containers and empty volumes, waiting longer each time, as after a crash.
//   - A changed ConfigMap or Secret reaches a pod when it is started anew, as with environment variables in
//     Kubernetes; change an annotation of the template for that.
//
// Invariants:
//   - What should run is in SQL (objects and the revisions of Deployments) before anything runs. Pods are of this
//     life only: at start the node ends what an earlier life left behind and starts again what should run. Logs,
//     events and the clock of progressDeadlineSeconds begin anew with it.
//   - Of what a scale decision takes away, nothing that is available goes below desired - maxUnavailable (rollout).
//   - Values of Secrets are encrypted in SQL with a key that lies beside the pods' folders, and are never shown.
//   - A host name lies below a domain of applications, is never the platform's own, and is one namespace's, with all its paths. It is free when the Ingress is deleted, also by a prune.
//   - A log that can't be written ends no pod; a pod that does not end is killed when the node has stopped for long
//     enough, whatever its own grace.
//   - One goroutine (Run) decides; one goroutine a pod carries out. Both are woken, neither polls.
package node

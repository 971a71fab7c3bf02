terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      version               = "~> 5.0"
      configuration_aliases = [aws.other]
    }
    old = "~> 1.0"
  }
}

variable "zones" {
  description = "Where it is."
  type        = map(object({ name = string, size = optional(number, 3) }))
}

variable "password" {
  type      = string
  default   = null
  sensitive = true
}

resource "terraform_data" "a" {
  input = var.zones
}

module "inner" {
  source  = "app.example.com/team/inner/aws"
  version = "1.0.0"
}

output "ids" {
  description = "Of all ${"of"} them."
  value       = terraform_data.a.id
}

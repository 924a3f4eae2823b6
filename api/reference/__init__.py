"""The OpenAPI document as a page for people, `/docs`: Scalar, with our configuration and colours."""

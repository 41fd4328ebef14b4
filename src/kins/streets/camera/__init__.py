"""From a street to a picture: the camera, rays, light, film."""

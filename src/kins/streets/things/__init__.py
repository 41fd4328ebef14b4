"""What streets are furnished with: meshes of vehicles, people, houses, trees."""
